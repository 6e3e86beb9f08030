package io.github.exporter.deblur.core;

/** Says which tiles need the model; the others stay as they are. */
public interface TileChoice {
    /** @param tile real values 0..1, {@code height * width * 3} */
    boolean needsModel(float[] tile, int height, int width);
}
