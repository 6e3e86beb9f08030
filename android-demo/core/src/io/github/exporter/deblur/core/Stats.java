package io.github.exporter.deblur.core;

import java.util.Arrays;

/** Percentiles as {@code numpy.percentile} gives them, to the bit: linear between the two nearest ranks. */
public final class Stats {
    private Stats() {}

    /**
     * @param samples at least one, in any order, no NaN; not changed
     * @param percent 0..100
     */
    public static double percentile(double[] samples, double percent) {
        if (samples.length == 0 || !(percent >= 0 && percent <= 100)) {
            throw new IllegalArgumentException("no percentile " + percent + " of " + samples.length + " samples");
        }
        double[] sorted = samples.clone();
        Arrays.sort(sorted);
        double rank = (sorted.length - 1) * (percent / 100);
        int below = (int) Math.floor(rank);
        double low = sorted[below];
        double high = sorted[Math.min(below + 1, sorted.length - 1)];
        double share = rank - below;
        // From the nearer end, as numpy does it: no rounding can pass that end.
        return share >= 0.5 ? high - (high - low) * (1 - share) : low + (high - low) * share;
    }
}
