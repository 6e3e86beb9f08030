package io.github.exporter.deblur;

import android.graphics.Bitmap;
import io.github.exporter.deblur.core.RgbImage;

/** Pictures between core/ and Android. */
final class Pictures {
    private Pictures() {}

    static Bitmap bitmap(RgbImage image) {
        int[] argb = new int[image.height * image.width];
        image.toArgb(argb);
        return Bitmap.createBitmap(argb, image.width, image.height, Bitmap.Config.ARGB_8888);
    }

    static RgbImage image(Bitmap bitmap) {
        int[] argb = new int[bitmap.getHeight() * bitmap.getWidth()];
        bitmap.getPixels(argb, 0, bitmap.getWidth(), 0, 0, bitmap.getWidth(), bitmap.getHeight());
        return RgbImage.ofArgb(argb, bitmap.getHeight(), bitmap.getWidth());
    }
}
