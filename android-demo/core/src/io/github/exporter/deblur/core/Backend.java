package io.github.exporter.deblur.core;

/** What computes. */
public enum Backend {
    GPU("gpu", "fp16", "fp32"),
    CPU("cpu", "int8", "fp32", "fp16"),
    NNAPI("nnapi", "int8", "fp32");

    /** In extras and JSON. */
    public final String word;

    private final String[] precisions;

    Backend(String word, String... precisions) {
        this.word = word;
        this.precisions = precisions;
    }

    /** The bundle's file for this backend; null when it has none. */
    public ModelEntry modelOf(Manifest manifest) {
        return manifest.tflite(precisions);
    }

    /** @throws IllegalArgumentException for an unknown word */
    public static Backend of(String word) {
        for (Backend backend : values()) {
            if (backend.word.equals(word)) {
                return backend;
            }
        }
        throw new IllegalArgumentException("no backend is called " + word + "; there are gpu, cpu and nnapi");
    }
}
