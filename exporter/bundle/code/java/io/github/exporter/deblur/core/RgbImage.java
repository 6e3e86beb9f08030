package io.github.exporter.deblur.core;

/** A picture as screens and files have it: 8-bit RGB, row by row, no padding. */
public final class RgbImage {
    public final int height;
    public final int width;
    /** {@code height * width * 3} bytes, R G B of the first pixel first; unsigned. */
    public final byte[] rgb;

    public RgbImage(int height, int width) {
        this(height, width, new byte[3 * height * width]);
    }

    public RgbImage(int height, int width, byte[] rgb) {
        if (height < 1 || width < 1 || rgb.length != height * width * 3) {
            throw new IllegalArgumentException(rgb.length + " bytes are no picture of " + height + "x" + width + " px");
        }
        this.height = height;
        this.width = width;
        this.rgb = rgb;
    }

    /** The part of cropHeight × cropWidth px that starts at row {@code top}, column {@code left}. */
    public RgbImage crop(int top, int left, int cropHeight, int cropWidth) {
        RgbImage part = new RgbImage(cropHeight, cropWidth);
        for (int row = 0; row < cropHeight; row++) {
            System.arraycopy(rgb, ((top + row) * width + left) * 3, part.rgb, row * cropWidth * 3, cropWidth * 3);
        }
        return part;
    }

    /** Lays {@code part} over this picture, its corner at row {@code top}, column {@code left}. */
    public void paste(RgbImage part, int top, int left) {
        for (int row = 0; row < part.height; row++) {
            int at = ((top + row) * width + left) * 3;
            System.arraycopy(part.rgb, row * part.width * 3, rgb, at, part.width * 3);
        }
    }

    /** The same picture as 0xAARRGGBB, the way {@code android.graphics.Bitmap} takes pixels. */
    public void toArgb(int[] argb) {
        for (int pixel = 0, at = 0; pixel < height * width; pixel++, at += 3) {
            argb[pixel] = 0xFF000000 | (rgb[at] & 0xFF) << 16 | (rgb[at + 1] & 0xFF) << 8 | rgb[at + 2] & 0xFF;
        }
    }

    /** A picture from 0xAARRGGBB; what is transparent counts as if it were not. */
    public static RgbImage ofArgb(int[] argb, int height, int width) {
        RgbImage image = new RgbImage(height, width);
        for (int pixel = 0, at = 0; pixel < height * width; pixel++, at += 3) {
            image.rgb[at] = (byte) (argb[pixel] >> 16);
            image.rgb[at + 1] = (byte) (argb[pixel] >> 8);
            image.rgb[at + 2] = (byte) argb[pixel];
        }
        return image;
    }
}
