package io.github.exporter.deblur.core

/**
 * Photographs of any size through a `.tflite` of a bundle: [WholePicture] of `java/` beside this file, with the words of
 * Kotlin. Call it where work may take seconds, such as `withContext(Dispatchers.Default)`, and always on one thread.
 *
 * @param manifest the text of manifest.json
 * @param precision of the file that [engine] has opened: `int8` for the CPU, `fp16` for the GPU
 * @throws BundleException when this is no manifest that it understands
 */
class Photographs(manifest: String, precision: String, private val engine: TensorRunner) {
    private val facts = Manifest.read(manifest)

    /** File, tensors and sizes. */
    val model: ModelEntry = requireNotNull(facts.tflite(precision)) { "the bundle has no $precision .tflite" }

    /**
     * The photograph restored, as many times as high and wide as the model enlarges.
     *
     * @param argb its pixels as `Bitmap.getPixels` gives them, upright, [height] rows of [width]
     * @param goesOn asked after every tile with how many are done and how many there are; `false` ends the work
     * @throws EngineException when the engine fails, or [goesOn] ends the work
     */
    fun restored(argb: IntArray, height: Int, width: Int, goesOn: (Int, Int) -> Boolean = { _, _ -> true }): RgbImage =
        WholePicture.restore(facts, model, engine, RgbImage.ofArgb(argb, height, width), goesOn)
}
