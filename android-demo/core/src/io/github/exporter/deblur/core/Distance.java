package io.github.exporter.deblur.core;

/** How far two pictures of real values, full scale 1.0, are from each other as they are shown, cut to 0..1. */
public final class Distance {
    /** Of pictures that are equal in every bit. */
    public static final double SAME_DB = 200.0;
    /** What a NaN or an infinity counts as; JSON has neither. */
    public static final double BROKEN_ABS = 1e9;

    public static final double BROKEN_DB = -200.0;

    public final double maxAbs;
    public final double psnrDb;

    private Distance(double maxAbs, double psnrDb) {
        this.maxAbs = maxAbs;
        this.psnrDb = psnrDb;
    }

    public static Distance between(float[] found, float[] expected) {
        if (found.length != expected.length) {
            throw new IllegalArgumentException(found.length + " values against " + expected.length);
        }
        double squares = 0;
        double largest = 0;
        for (int i = 0; i < found.length; i++) {
            double difference = shown(found[i]) - shown(expected[i]);
            squares += difference * difference;
            largest = Math.max(largest, Math.abs(difference)); // Math.max lets NaN through
        }
        if (Double.isNaN(largest)) {
            return new Distance(BROKEN_ABS, BROKEN_DB);
        }
        double psnrDb = squares == 0 ? SAME_DB : -10 * Math.log10(squares / found.length);
        return new Distance(largest, Math.min(psnrDb, SAME_DB));
    }

    /** What a screen shows; a NaN or an infinity is no value at all. */
    private static double shown(float real) {
        return Float.isNaN(real) || Float.isInfinite(real) ? Double.NaN : Math.min(Math.max(real, 0f), 1f);
    }

    /** The farther of both, figure by figure. */
    public Distance worse(Distance other) {
        return new Distance(Math.max(maxAbs, other.maxAbs), Math.min(psnrDb, other.psnrDb));
    }

    /** Nearer than any two pictures: where {@link #worse} begins. */
    public static Distance none() {
        return new Distance(0, SAME_DB);
    }
}
