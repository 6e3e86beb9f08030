package io.github.exporter.deblur.core;

/** A model that takes one tile of one size. */
public interface TileModel {
    /**
     * Restores one tile.
     *
     * @param tile real values 0..1, NHWC without the batch axis; not changed
     * @return the same, {@code scale} times as high and wide; may be the same array at every call
     * @throws EngineException when the engine gives no usable answer
     */
    float[] infer(float[] tile) throws EngineException;

    /** How much larger its output is than its input, along each axis. */
    int scale();
}
