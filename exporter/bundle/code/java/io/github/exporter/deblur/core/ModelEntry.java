package io.github.exporter.deblur.core;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

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
    /** The sizes it takes, one or several; {@code input} and {@code output} are those of the first. */
    public final List<ModelSize> sizes;

    ModelEntry(String file, String sha256, String format, String precision, List<ModelSize> sizes) {
        this.file = file;
        this.sha256 = sha256;
        this.format = format;
        this.precision = precision;
        this.input = sizes.get(0).input;
        this.output = sizes.get(0).output;
        this.sizes = Collections.unmodifiableList(sizes);
    }

    /** @param tiling of a file that takes one size */
    static ModelEntry of(JsonObject entry, Tiling tiling) throws BundleException {
        String file = entry.text("file");
        if (!file.matches("models/[^/\\\\]+")) {
            throw new BundleException("manifest.json: " + file + " is no file of models/");
        }
        return new ModelEntry(
                file,
                entry.text("sha256"),
                entry.text("format"),
                entry.text("precision"),
                sizes(entry, tiling));
    }

    private static List<ModelSize> sizes(JsonObject entry, Tiling tiling) throws BundleException {
        List<ModelSize> sizes = new ArrayList<ModelSize>();
        if (entry.has("signatures")) {
            for (JsonObject signature : entry.objects("signatures")) {
                sizes.add(ModelSize.of(sizes.size(), signature));
            }
        }
        if (sizes.isEmpty()) {
            sizes.add(new ModelSize("", 0, tensor(entry.object("input")), tensor(entry.object("output")), tiling));
        }
        return sizes;
    }

    static TensorSpec tensor(JsonObject entry) throws BundleException {
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
