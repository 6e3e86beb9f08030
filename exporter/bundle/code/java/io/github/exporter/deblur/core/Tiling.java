package io.github.exporter.deblur.core;

import java.util.ArrayList;
import java.util.List;

/**
 * How pictures of any size go through a model of one size, all lengths in px: the contract of {@code manifest.tiling},
 * in the arithmetic of tiles.py, so that both give the same bits.
 */
public final class Tiling {
    public final int height;
    public final int width;
    public final int haloPx;
    /** Tiles start at multiples of it, and pictures are filled up to it. */
    public final int multiplePx;
    /** Neighbours fade into each other over so many pixels; 0: a hard edge. */
    public final int blendPx;

    public Tiling(int height, int width, int haloPx, int multiplePx, int blendPx) {
        this.height = height;
        this.width = width;
        this.haloPx = haloPx;
        this.multiplePx = multiplePx;
        this.blendPx = blendPx;
    }

    /** Tiles over the rows of a picture {@code extent} px high. */
    public List<Span> rows(int extent) {
        return spans(extent, height);
    }

    /** Tiles over the columns of a picture {@code extent} px wide. */
    public List<Span> columns(int extent) {
        return spans(extent, width);
    }

    /** How many tiles a picture of that size takes. */
    public long count(int pictureHeight, int pictureWidth) {
        return (long) starts(pictureHeight, height).size() * starts(pictureWidth, width).size();
    }

    /** Where pixel {@code at} is found in a picture {@code extent} px long: what lies beyond it mirrors it. */
    public static int mirrored(int at, int extent) {
        int thereAndBack = at % (2 * extent);
        return Math.min(thereAndBack, 2 * extent - 1 - thereAndBack);
    }

    private List<Span> spans(int extent, int side) {
        List<Integer> starts = starts(extent, side);
        List<Span> spans = new ArrayList<Span>();
        for (int index = 0; index < starts.size(); index++) {
            int start = starts.get(index);
            float[] shares = new float[side];
            for (int i = 0; i < side; i++) {
                float share = 1f;
                if (index > 0) {
                    share *= ramp(start + i, meeting(starts, index - 1, side));
                }
                if (index + 1 < starts.size()) {
                    share *= 1f - ramp(start + i, meeting(starts, index, side));
                }
                shares[i] = share;
            }
            spans.add(new Span(start, shares));
        }
        return spans;
    }

    /** Halfway through the overlap of tile {@code index} and the next. */
    private static int meeting(List<Integer> starts, int index, int side) {
        return (starts.get(index) + side + starts.get(index + 1)) / 2;
    }

    /** 0 before {@code meeting}, 1 after it; with a blend, a line between. */
    private float ramp(int pixel, int meeting) {
        if (blendPx == 0) {
            return pixel >= meeting ? 1f : 0f;
        }
        float along = ((float) pixel + 0.5f - meeting) / blendPx + 0.5f;
        return Math.min(Math.max(along, 0f), 1f);
    }

    private List<Integer> starts(int extent, int side) {
        List<Integer> starts = new ArrayList<Integer>();
        int last = (extent + multiplePx - 1) / multiplePx * multiplePx - side;
        if (last <= 0) {
            starts.add(0);
            return starts;
        }
        int step = (side - 2 * haloPx) / multiplePx * multiplePx;
        if (step <= 0) {
            throw new IllegalArgumentException(
                    "a halo of " + haloPx + " px leaves nothing of a tile of " + side + " px");
        }
        if (blendPx < 0 || blendPx > Math.min(2 * haloPx, step / 2)) {
            throw new IllegalArgumentException(
                    "tiles of " + side + " px, halo " + haloPx + " px, cannot be blended over " + blendPx + " px");
        }
        for (int start = 0; start < last; start += step) {
            starts.add(start);
        }
        starts.add(last);
        return starts;
    }
}
