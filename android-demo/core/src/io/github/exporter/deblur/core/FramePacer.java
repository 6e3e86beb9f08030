package io.github.exporter.deblur.core;

/**
 * Which camera frames to restore: every n-th, so that the picture moves evenly instead of as fast as it can, and fewer
 * when the device gets hot. n is the number of camera frames that one restoration lasts, nine times in ten.
 */
public final class FramePacer {
    private static final int WINDOW = 30;
    private static final int SEVERE = 3;
    private static final int CRITICAL = 4;

    private final double[] costsNanos = new double[WINDOW];
    private final double[] gapsNanos = new double[WINDOW];
    private int costs;
    private int gaps;
    private long lastFrameNanos = Long.MIN_VALUE;
    private long lastTakenNanos = Long.MIN_VALUE;
    private int thermalStatus;

    /** As {@link ThermalSource#status} says it. */
    public void setThermalStatus(int status) {
        thermalStatus = status;
    }

    /** Whether to restore the frame of this time, one that is later than all before. */
    public boolean take(long timestampNanos) {
        if (lastFrameNanos != Long.MIN_VALUE) {
            gapsNanos[gaps++ % WINDOW] = timestampNanos - lastFrameNanos;
        }
        lastFrameNanos = timestampNanos;
        if (lastTakenNanos != Long.MIN_VALUE) {
            double gap = typical(gapsNanos, gaps, 50);
            // Half a gap less: timestamps tremble, and a frame that is a little early must not wait for the next.
            if (timestampNanos - lastTakenNanos < (everyNth() - 0.5) * gap) {
                return false;
            }
        }
        lastTakenNanos = timestampNanos;
        return true;
    }

    /** Tells how long a frame that was taken kept the device busy. */
    public void done(long nanos) {
        costsNanos[costs++ % WINDOW] = nanos;
    }

    /** Every how many camera frames one is restored, from 1. */
    public int everyNth() {
        double gap = typical(gapsNanos, gaps, 50);
        int nth = gap <= 0 || costs == 0 ? 1 : (int) Math.max(1, Math.ceil(typical(costsNanos, costs, 90) / gap));
        return thermalStatus >= CRITICAL ? 4 * nth : thermalStatus >= SEVERE ? 2 * nth : nth;
    }

    /** Restored frames per second at this pace; 0 before the second frame. */
    public double framesPerSecond() {
        double gap = typical(gapsNanos, gaps, 50);
        return gap <= 0 ? 0 : 1e9 / (gap * everyNth());
    }

    private static double typical(double[] ring, int written, double percent) {
        return written == 0 ? 0 : Stats.percentile(java.util.Arrays.copyOf(ring, Math.min(written, WINDOW)), percent);
    }
}
