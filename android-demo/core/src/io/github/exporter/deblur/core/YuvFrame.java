package io.github.exporter.deblur.core;

import java.nio.ByteBuffer;

/**
 * A camera frame, {@code YUV_420_888}: brightness for every pixel, colour for every two by two. Planes are read by
 * absolute index from 0; strides are bytes from row to row and from pixel to pixel. Brightness has pixel stride 1.
 */
public final class YuvFrame {
    public final int height;
    public final int width;
    public final ByteBuffer y;
    public final ByteBuffer u;
    public final ByteBuffer v;
    public final int yRowStride;
    public final int uvRowStride;
    /** 1: planes of their own; 2: U and V take turns, as most cameras have it. */
    public final int uvPixelStride;

    public YuvFrame(
            int height,
            int width,
            ByteBuffer y,
            ByteBuffer u,
            ByteBuffer v,
            int yRowStride,
            int uvRowStride,
            int uvPixelStride) {
        this.height = height;
        this.width = width;
        this.y = y;
        this.u = u;
        this.v = v;
        this.yRowStride = yRowStride;
        this.uvRowStride = uvRowStride;
        this.uvPixelStride = uvPixelStride;
    }
}
