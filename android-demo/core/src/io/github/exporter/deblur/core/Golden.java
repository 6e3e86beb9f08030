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

    /** The vectors of {@code model} at its first size. @throws BundleException when there is none */
    public List<GoldenVector> of(ModelEntry model, String runtime) throws BundleException {
        return of(model, model.sizes.get(0), runtime);
    }

    /**
     * The vectors of {@code model} at one of its sizes, with the tolerance of {@code runtime}, or of "other" where it is
     * not named.
     *
     * @throws BundleException when there is none, so that nothing passes unseen
     */
    public List<GoldenVector> of(ModelEntry model, ModelSize size, String runtime) throws BundleException {
        String signature = size.index == 0 ? "" : size.name;
        List<GoldenVector> vectors = new ArrayList<GoldenVector>();
        for (JsonObject vector : root.objects("vectors")) {
            for (JsonObject entry : vector.objects("models")) {
                String own = entry.has("signature") ? entry.text("signature") : "";
                if (entry.text("model").equals(model.file) && own.equals(signature)) {
                    vectors.add(vector(vector, entry, runtime));
                }
            }
        }
        if (vectors.isEmpty()) {
            String at = signature.isEmpty() ? "" : " at " + signature;
            throw new BundleException(bundle.manifest.golden + " holds no vector for " + model.file + at);
        }
        return vectors;
    }

    /** The same as below at the model's first size. */
    public String complaint(ModelEntry model, Engine engine, String runtime) throws IOException, EngineException {
        return complaint(model, model.sizes.get(0), engine, runtime);
    }

    /**
     * Runs every vector of {@code model} at {@code size} through {@code engine}.
     *
     * @return null when all are near enough, else the first complaint
     */
    public String complaint(ModelEntry model, ModelSize size, Engine engine, String runtime)
            throws IOException, EngineException {
        for (GoldenVector vector : of(model, size, runtime)) {
            ByteBuffer output = Buffers.direct(size.output);
            engine.run(size, tensor(vector.input, size.input), output);
            String complaint = vector.complaint(distance(vector, size.output, output));
            if (complaint != null) {
                return complaint;
            }
        }
        return null;
    }

    /** How far {@code output}, a raw output tensor of the model's first size, is from the stored one. */
    public Distance distance(GoldenVector vector, ModelEntry model, ByteBuffer output) throws IOException {
        return distance(vector, model.output, output);
    }

    private Distance distance(GoldenVector vector, TensorSpec spec, ByteBuffer output) throws IOException {
        float[] found = new float[spec.values()];
        float[] expected = new float[spec.values()];
        PixelPack.load(output, spec, found);
        PixelPack.load(tensor(vector.output, spec), spec, expected);
        return Distance.between(found, expected);
    }

    /** The stored tensor {@code file} as engines take it. @throws BundleException when it is not one of {@code spec} */
    public ByteBuffer tensor(String file, TensorSpec spec) throws IOException {
        return Npy.read(file, bundle.files.open(file)).tensor(spec, file);
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
