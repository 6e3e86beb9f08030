package io.github.exporter.deblur.core;

/** A model file of a bundle, as manifest.json lists it. */
public final class ModelEntry {
    /** Relative to the bundle. */
    public final String file;
    public final String sha256;
    /** {@code tflite}, {@code onnx} … */
    public final String format;
    /** {@code fp32}, {@code fp16} or {@code int8}. */
    public final String precision;
    public final TensorSpec input;
    public final TensorSpec output;

    ModelEntry(String file, String sha256, String format, String precision, TensorSpec input, TensorSpec output) {
        this.file = file;
        this.sha256 = sha256;
        this.format = format;
        this.precision = precision;
        this.input = input;
        this.output = output;
    }

    static ModelEntry of(JsonObject entry) throws BundleException {
        String file = entry.text("file");
        if (!file.matches("models/[^/\\\\]+")) {
            throw new BundleException("manifest.json: " + file + " is no file of models/");
        }
        return new ModelEntry(
                file,
                entry.text("sha256"),
                entry.text("format"),
                entry.text("precision"),
                tensor(entry.object("input")),
                tensor(entry.object("output")));
    }

    private static TensorSpec tensor(JsonObject entry) throws BundleException {
        int[] shape = entry.integers("shape");
        boolean nhwc = entry.text("layout").equals("NHWC");
        if (shape.length != 4 || shape[0] != 1 || shape[nhwc ? 3 : 1] != 3) {
            throw new BundleException("manifest.json: " + entry.text("name") + " is no batch of one RGB picture");
        }
        float scale = entry.has("scale") ? (float) entry.number("scale") : 0f;
        int zeroPoint = entry.has("zero_point") ? entry.integer("zero_point") : 0;
        try {
            int height = shape[nhwc ? 1 : 2];
            int width = shape[nhwc ? 2 : 3];
            return new TensorSpec(entry.text("name"), height, width, nhwc, entry.text("dtype"), scale, zeroPoint);
        } catch (IllegalArgumentException error) {
            throw new BundleException("manifest.json: " + error.getMessage());
        }
    }
}
