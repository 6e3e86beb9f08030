package io.github.exporter.deblur;

import android.content.Context;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.graphics.Matrix;
import android.media.ExifInterface;
import android.net.Uri;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** A photograph the person chose, and a way to write one where the person says. */
final class Photo {
    private static final int LARGEST_PX = 2048; // of the longer side: what a heap of 256 MB takes
    private static final int QUALITY = 95;

    /** As a person holds it. */
    final Bitmap bitmap;
    /** Whether it was halved, once or more. */
    final boolean isSmaller;

    private Photo(Bitmap bitmap, boolean isSmaller) {
        this.bitmap = bitmap;
        this.isSmaller = isSmaller;
    }

    /** Upright, halved until it is at most {@link #LARGEST_PX} px long. */
    static Photo read(Context context, Uri photo) throws IOException {
        File copy = File.createTempFile("photo", null, context.getCacheDir());
        try {
            copy(context, photo, copy); // ExifInterface reads streams since API 24, files always
            BitmapFactory.Options options = halving(copy.getPath());
            Bitmap bitmap = BitmapFactory.decodeFile(copy.getPath(), options);
            if (bitmap == null) {
                throw new IOException(context.getString(R.string.no_photograph));
            }
            return new Photo(turned(bitmap, new ExifInterface(copy.getPath())), options.inSampleSize > 1);
        } finally {
            copy.delete();
        }
    }

    /** Writes a JPEG. */
    static void write(Context context, Bitmap bitmap, Uri place) throws IOException {
        OutputStream stream = context.getContentResolver().openOutputStream(place);
        if (stream == null) {
            throw new IOException(context.getString(R.string.not_saved));
        }
        try {
            if (!bitmap.compress(Bitmap.CompressFormat.JPEG, QUALITY, stream)) {
                throw new IOException(context.getString(R.string.not_saved));
            }
        } finally {
            stream.close();
        }
    }

    private static void copy(Context context, Uri photo, File copy) throws IOException {
        InputStream from = context.getContentResolver().openInputStream(photo);
        if (from == null) {
            throw new IOException(context.getString(R.string.not_opened));
        }
        try {
            OutputStream to = new FileOutputStream(copy);
            try {
                byte[] piece = new byte[1 << 16];
                for (int n = from.read(piece); n > 0; n = from.read(piece)) {
                    to.write(piece, 0, n);
                }
            } finally {
                to.close();
            }
        } finally {
            from.close();
        }
    }

    private static BitmapFactory.Options halving(String file) {
        BitmapFactory.Options options = new BitmapFactory.Options();
        options.inJustDecodeBounds = true;
        BitmapFactory.decodeFile(file, options);
        options.inSampleSize = 1;
        while (Math.max(options.outWidth, options.outHeight) / options.inSampleSize > LARGEST_PX) {
            options.inSampleSize *= 2;
        }
        options.inJustDecodeBounds = false;
        return options;
    }

    private static Bitmap turned(Bitmap bitmap, ExifInterface exif) {
        Matrix matrix = new Matrix();
        int turn = exif.getAttributeInt(ExifInterface.TAG_ORIENTATION, ExifInterface.ORIENTATION_NORMAL);
        switch (turn) {
            case ExifInterface.ORIENTATION_ROTATE_90:
            case ExifInterface.ORIENTATION_TRANSPOSE:
                matrix.postRotate(90);
                break;
            case ExifInterface.ORIENTATION_ROTATE_180:
            case ExifInterface.ORIENTATION_FLIP_VERTICAL:
                matrix.postRotate(180);
                break;
            case ExifInterface.ORIENTATION_ROTATE_270:
            case ExifInterface.ORIENTATION_TRANSVERSE:
                matrix.postRotate(270);
                break;
            default:
                break;
        }
        if (turn == ExifInterface.ORIENTATION_FLIP_HORIZONTAL || turn == ExifInterface.ORIENTATION_FLIP_VERTICAL
                || turn == ExifInterface.ORIENTATION_TRANSPOSE || turn == ExifInterface.ORIENTATION_TRANSVERSE) {
            matrix.postScale(-1, 1);
        }
        return matrix.isIdentity()
                ? bitmap
                : Bitmap.createBitmap(bitmap, 0, 0, bitmap.getWidth(), bitmap.getHeight(), matrix, false);
    }
}
