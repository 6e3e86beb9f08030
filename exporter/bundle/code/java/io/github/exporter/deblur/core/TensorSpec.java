package io.github.exporter.deblur.core;

/**
 * One tensor of a model: a batch of one RGB picture. A real value is {@code (stored - zeroPoint) * scale} where the
 * tensor is quantised, else what is stored; real values lie in 0..1.
 */
public final class TensorSpec {
    public final String name;
    public final int height;
    public final int width;
    /** False: channels first. */
    public final boolean nhwc;
    /** {@code float32}, {@code int8} or {@code uint8}. */
    public final String dtype;
    /** 0 where the tensor is not quantised. */
    public final float scale;
    public final int zeroPoint;

    public TensorSpec(String name, int height, int width, boolean nhwc, String dtype, float scale, int zeroPoint) {
        boolean known = dtype.equals("float32") || dtype.equals("int8") || dtype.equals("uint8");
        if (!known || height < 1 || width < 1 || dtype.equals("float32") != (scale == 0)) {
            throw new IllegalArgumentException(
                    "a tensor " + dtype + " " + height + "x" + width + " with scale " + scale + " is no picture");
        }
        this.name = name;
        this.height = height;
        this.width = width;
        this.nhwc = nhwc;
        this.dtype = dtype;
        this.scale = scale;
        this.zeroPoint = zeroPoint;
    }

    public boolean isFloat() {
        return dtype.equals("float32");
    }

    /** Numbers in the tensor. */
    public int values() {
        return height * width * 3;
    }

    /** Its size as an engine takes it. */
    public int bytes() {
        return values() * (isFloat() ? 4 : 1);
    }

    @Override
    public String toString() {
        String quantised = isFloat() ? "" : ", scale " + scale + ", zero point " + zeroPoint;
        return dtype + " " + height + "x" + width + (nhwc ? " NHWC" : " NCHW") + quantised;
    }
}
