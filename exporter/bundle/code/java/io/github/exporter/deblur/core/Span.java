package io.github.exporter.deblur.core;

/** One tile along one axis: its first pixel, and the share that each of its pixels has in the result. */
public final class Span {
    public final int start;
    /** 0, 1, or a ramp between; those of all tiles add up to 1 at every pixel. */
    public final float[] shares;

    Span(int start, float[] shares) {
        this.start = start;
        this.shares = shares;
    }
}
