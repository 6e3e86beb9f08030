package io.github.exporter.deblur.core;

import java.nio.ByteBuffer;

/** Real values 0..1 (H, W, 3) into the bytes of a tensor and back; the arithmetic of exporter/bundle/golden.py. */
public final class PixelPack {
    private PixelPack() {}

    /**
     * Writes a picture as {@code spec} holds it, from the buffer's start, and rewinds it.
     *
     * @param real {@code spec.values()} numbers, height × width × RGB
     * @param tensor {@code spec.bytes()} bytes in the machine's byte order
     */
    public static void store(float[] real, TensorSpec spec, ByteBuffer tensor) {
        Buffers.rewind(tensor);
        int plane = spec.height * spec.width;
        for (int i = 0; i < spec.values(); i++) {
            float value = real[spec.nhwc ? i : i % plane * 3 + i / plane];
            if (spec.isFloat()) {
                tensor.putFloat(value);
            } else {
                tensor.put(quantised(value, spec));
            }
        }
        Buffers.rewind(tensor);
    }

    /** The reverse of {@link #store}: real values, height × width × RGB. */
    public static void load(ByteBuffer tensor, TensorSpec spec, float[] real) {
        Buffers.rewind(tensor);
        int plane = spec.height * spec.width;
        for (int i = 0; i < spec.values(); i++) {
            int to = spec.nhwc ? i : i % plane * 3 + i / plane;
            if (spec.isFloat()) {
                real[to] = tensor.getFloat();
            } else {
                byte stored = tensor.get();
                int step = spec.dtype.equals("uint8") ? stored & 0xFF : stored;
                real[to] = (step - spec.zeroPoint) * spec.scale;
            }
        }
        Buffers.rewind(tensor);
    }

    /** 8-bit pixels as real values: {@code pixel / 255}. */
    public static float[] real(RgbImage image) {
        float[] real = new float[image.rgb.length];
        for (int i = 0; i < real.length; i++) {
            real[i] = (image.rgb[i] & 0xFF) / 255f;
        }
        return real;
    }

    /** Real values as 8-bit pixels, rounded to nearest, clipped. */
    public static RgbImage pixels(float[] real, int height, int width) {
        RgbImage image = new RgbImage(height, width);
        for (int i = 0; i < image.rgb.length; i++) {
            image.rgb[i] = toByte(real[i]);
        }
        return image;
    }

    static byte toByte(float real) {
        return (byte) (int) (Math.min(Math.max(real, 0f), 1f) * 255f + 0.5f);
    }

    private static byte quantised(float value, TensorSpec spec) {
        float step = (float) Math.rint(value / spec.scale) + spec.zeroPoint;
        int lowest = spec.dtype.equals("uint8") ? 0 : -128;
        return (byte) (int) Math.min(Math.max(step, lowest), lowest + 255);
    }
}
