package io.github.exporter.deblur.core;

/** One known picture for one model file: what to feed, what must come out, and how far an engine may be from it. */
public final class GoldenVector {
    public final String name;
    /** Relative to the bundle: uint8, height × width × RGB. */
    public final String pixels;
    /** The raw input tensor with its batch axis. */
    public final String input;
    /** The raw output tensor with its batch axis. */
    public final String output;
    public final double maxAbs;
    public final double minPsnrDb;

    GoldenVector(String name, String pixels, String input, String output, double maxAbs, double minPsnrDb) {
        this.name = name;
        this.pixels = pixels;
        this.input = input;
        this.output = output;
        this.maxAbs = maxAbs;
        this.minPsnrDb = minPsnrDb;
    }

    /** One sentence why {@code distance} is too far; null when it is near enough. */
    public String complaint(Distance distance) {
        if (distance.psnrDb >= minPsnrDb && distance.maxAbs <= maxAbs) {
            return null;
        }
        return String.format(
                java.util.Locale.ROOT,
                "%s: %.1f dB, largest difference %.2g; allowed %.1f dB, %.2g",
                name, distance.psnrDb, distance.maxAbs, minPsnrDb, maxAbs);
    }
}
