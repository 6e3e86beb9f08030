package io.github.exporter.deblur.core;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/** The golden vectors of a bundle: the proof that an engine on this device computes what the exporter measured. */
public final class Golden {
    private final Bundle bundle;
    private final JsonObject root;

    private Golden(Bundle bundle, JsonObject root) {
        this.bundle = bundle;
        this.root = root;
    }

    static Golden read(Bundle bundle) throws IOException {
        String file = bundle.manifest.golden;
        String text = new String(Streams.readAll(bundle.files.open(file)), "UTF-8");
        JsonObject root = Json.object(file, text);
        if (root.integer("schema_version") != 1) {
            throw new BundleException(file + ": schema version " + root.integer("schema_version") + " is not known");
        }
        return new Golden(bundle, root);
    }

    /**
     * The vectors of {@code model}, with the tolerance of {@code runtime}, or of "other" where it is not named.
     *
     * @throws BundleException when there is none, so that nothing passes unseen
     */
    public List<GoldenVector> of(ModelEntry model, String runtime) throws BundleException {
        List<GoldenVector> vectors = new ArrayList<GoldenVector>();
        for (JsonObject vector : root.objects("vectors")) {
            for (JsonObject entry : vector.objects("models")) {
                if (entry.text("model").equals(model.file)) {
                    vectors.add(vector(vector, entry, runtime));
                }
            }
        }
        if (vectors.isEmpty()) {
            throw new BundleException(bundle.manifest.golden + " holds no vector for " + model.file);
        }
        return vectors;
    }

    /**
     * Runs every vector of {@code model} through {@code engine}.
     *
     * @return null when all are near enough, else the first complaint
     */
    public String complaint(ModelEntry model, Engine engine, String runtime) throws IOException, EngineException {
        for (GoldenVector vector : of(model, runtime)) {
            ByteBuffer output = Buffers.direct(model.output);
            engine.run(tensor(vector.input, model.input), output);
            String complaint = vector.complaint(distance(vector, model, output));
            if (complaint != null) {
                return complaint;
            }
        }
        return null;
    }

    /** How far {@code output}, a raw output tensor, is from the stored one. */
    public Distance distance(GoldenVector vector, ModelEntry model, ByteBuffer output) throws IOException {
        float[] found = new float[model.output.values()];
        float[] expected = new float[model.output.values()];
        PixelPack.load(output, model.output, found);
        PixelPack.load(tensor(vector.output, model.output), model.output, expected);
        return Distance.between(found, expected);
    }

    /** The stored tensor {@code file} as engines take it. @throws BundleException when it is not one of {@code spec} */
    public ByteBuffer tensor(String file, TensorSpec spec) throws IOException {
        return Buffers.direct(Npy.read(file, bundle.files.open(file)), spec, file);
    }

    /** The stored picture {@code file}, uint8, height × width × RGB. */
    public RgbImage picture(String file) throws IOException {
        Npy array = Npy.read(file, bundle.files.open(file));
        if (!array.dtype.equals("uint8") || array.shape.length != 3 || array.shape[2] != 3) {
            throw new BundleException(file + " is no picture of 8-bit RGB");
        }
        byte[] rgb = new byte[array.data.remaining()];
        array.data.order(ByteOrder.LITTLE_ENDIAN).get(rgb);
        return new RgbImage(array.shape[0], array.shape[1], rgb);
    }

    private static GoldenVector vector(JsonObject vector, JsonObject entry, String runtime) throws BundleException {
        JsonObject tolerances = entry.object("tolerances");
        JsonObject allowed = tolerances.object(tolerances.has(runtime) ? runtime : "other");
        return new GoldenVector(
                vector.text("name"),
                inside(vector.text("pixels")),
                inside(entry.text("input")),
                inside(entry.text("output")),
                allowed.number("max_abs"),
                allowed.number("min_psnr_db"));
    }

    private static String inside(String file) throws BundleException {
        if (file.startsWith("/") || file.contains("..")) {
            throw new BundleException("golden.json names " + file + ", which is outside the bundle");
        }
        return file;
    }
}
