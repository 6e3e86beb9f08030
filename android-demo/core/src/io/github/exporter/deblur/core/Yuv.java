package io.github.exporter.deblur.core;

import java.nio.Buffer;
import java.nio.ByteBuffer;

/**
 * Camera frames to RGB, turned upright: BT.601 with full range (JFIF), which is what Android's cameras deliver as
 * {@code YUV_420_888}; a colour pair is valid for its four pixels. Integer arithmetic with 16 bits of fraction.
 */
public final class Yuv {
    private static final int HALF = 1 << 15;
    private static final int RED_V = fixed(1.402);
    private static final int GREEN_U = fixed(0.344136286);
    private static final int GREEN_V = fixed(0.714136286);
    private static final int BLUE_U = fixed(1.772);

    private Yuv() {}

    /**
     * The frame as an upright picture.
     *
     * @param clockwiseDegrees 0, 90, 180 or 270: how far the frame must be turned to be upright
     */
    public static RgbImage toRgb(YuvFrame frame, int clockwiseDegrees) {
        int turns = turns(clockwiseDegrees);
        boolean upright = turns % 2 == 0;
        RgbImage image = new RgbImage(upright ? frame.height : frame.width, upright ? frame.width : frame.height);
        byte[] y = new byte[frame.width];
        byte[] u = new byte[(frame.width - 1) / 2 * frame.uvPixelStride + 1];
        byte[] v = new byte[u.length];
        for (int row = 0; row < frame.height; row++) {
            read(frame.y, row * frame.yRowStride, y);
            if (row % 2 == 0) {
                read(frame.u, row / 2 * frame.uvRowStride, u);
                read(frame.v, row / 2 * frame.uvRowStride, v);
            }
            for (int column = 0; column < frame.width; column++) {
                int colour = column / 2 * frame.uvPixelStride;
                convert(y[column], u[colour], v[colour], image.rgb, turned(row, column, frame, turns) * 3);
            }
        }
        return image;
    }

    /** Planes end with their last pixel, not with their last stride. */
    private static void read(ByteBuffer plane, int start, byte[] row) {
        ByteBuffer view = plane.duplicate();
        ((Buffer) view).position(start); // see Buffers.rewind
        view.get(row);
    }

    private static int turns(int clockwiseDegrees) {
        if (clockwiseDegrees % 90 != 0) {
            throw new IllegalArgumentException("a frame cannot be turned by " + clockwiseDegrees + " degrees");
        }
        return (clockwiseDegrees / 90 % 4 + 4) % 4;
    }

    /** Index in the upright picture of the pixel that lies at (row, column) in the frame. */
    private static int turned(int row, int column, YuvFrame frame, int turns) {
        switch (turns) {
            case 1:
                return column * frame.height + frame.height - 1 - row;
            case 2:
                return (frame.height - 1 - row) * frame.width + frame.width - 1 - column;
            case 3:
                return (frame.width - 1 - column) * frame.height + row;
            default:
                return row * frame.width + column;
        }
    }

    private static void convert(byte y, byte u, byte v, byte[] rgb, int to) {
        int luma = (y & 0xFF) << 16 | HALF;
        int blue = (u & 0xFF) - 128;
        int red = (v & 0xFF) - 128;
        rgb[to] = clipped(luma + RED_V * red);
        rgb[to + 1] = clipped(luma - GREEN_U * blue - GREEN_V * red);
        rgb[to + 2] = clipped(luma + BLUE_U * blue);
    }

    private static byte clipped(int fixed) {
        return (byte) Math.min(Math.max(fixed >> 16, 0), 255);
    }

    private static int fixed(double factor) {
        return (int) Math.rint(factor * (1 << 16));
    }
}
