package io.github.exporter.deblur.core;

/**
 * A photograph of any size through a {@code .tflite} of a bundle, tile by tile as its manifest.json says: the picture
 * that {@code exporter run} makes, to the bit where the engine gives the same bits.
 */
public final class WholePicture {
    private WholePicture() {}

    /**
     * The picture as the model makes it, as many times as high and wide as the model enlarges.
     *
     * @param manifest {@code Manifest.read(text of manifest.json)}
     * @param model which file {@code engine} has opened, such as {@code manifest.tflite("int8")}
     * @param progress hears of every tile and may end the work; null: nobody does
     * @throws EngineException when the engine fails, gives NaN or infinity, or {@code progress} ends the work
     */
    public static RgbImage restore(
            Manifest manifest, ModelEntry model, TensorRunner engine, RgbImage picture, TileProgress progress)
            throws EngineException {
        return restore(manifest, ModelSize.best(model.sizes, picture.height, picture.width), engine, picture, progress);
    }

    /** The same at one of the model's sizes. */
    public static RgbImage restore(
            Manifest manifest, ModelSize size, TensorRunner engine, RgbImage picture, TileProgress progress)
            throws EngineException {
        TileModel tiles = new EngineModel(engine, size);
        boolean choosy = manifest.onlyBlurred && tiles.scale() == 1;
        return new Tiler(size.tiling, tiles, choosy ? new BlurGate(manifest.sharpAbove) : null)
                .restore(picture, progress);
    }
}
