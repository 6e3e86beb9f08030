package io.github.exporter.deblur.core;

/** Hears how far a picture is. */
public interface TileProgress {
    /** Called after each tile; {@code false} ends the work. */
    boolean tileDone(int done, int ofTiles);
}
