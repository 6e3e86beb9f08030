package io.github.exporter.deblur.core;

/** One of the sizes that a model file takes: a signature of a {@code .tflite} of several, or the only one of another. */
public final class ModelSize {
    /** The signature's name, such as {@code 720x1280}; empty for a file of one size. */
    public final String name;
    /** Of the signature in the file; 0: the first, which engines run when nothing is said. */
    public final int index;
    public final TensorSpec input;
    public final TensorSpec output;
    public final Tiling tiling;

    public ModelSize(String name, int index, TensorSpec input, TensorSpec output, Tiling tiling) {
        this.name = name;
        this.index = index;
        this.input = input;
        this.output = output;
        this.tiling = tiling;
    }

    static ModelSize of(int index, JsonObject entry) throws BundleException {
        return new ModelSize(
                entry.text("name"),
                index,
                ModelEntry.tensor(entry.object("input")),
                ModelEntry.tensor(entry.object("output")),
                Manifest.tiling(entry.object("tiling")));
    }

    /**
     * The one of {@code sizes} that a picture goes through, as {@code exporter run} chooses it: the smallest that holds
     * it whole, else the one whose tiles compute the fewest pixels, of equals the largest, whose seams are fewer.
     */
    public static ModelSize best(Iterable<ModelSize> sizes, int height, int width) {
        ModelSize best = null;
        for (ModelSize size : sizes) {
            if (best == null || size.isBetter(best, height, width)) {
                best = size;
            }
        }
        return best;
    }

    private boolean isBetter(ModelSize other, int height, int width) {
        long own = tiling.count(height, width);
        long others = other.tiling.count(height, width);
        if ((own == 1) != (others == 1)) {
            return own == 1;
        }
        long computed = own * area() - others * other.area();
        return computed < 0 || (computed == 0 && area() > other.area());
    }

    private long area() {
        return (long) tiling.height * tiling.width;
    }
}
