package io.github.exporter.deblur;

import android.app.Activity;
import android.content.Intent;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.net.Uri;
import android.os.Bundle;
import android.view.View;
import android.widget.TextView;
import io.github.exporter.deblur.core.EngineException;
import io.github.exporter.deblur.core.Restorer;
import io.github.exporter.deblur.core.RgbImage;
import io.github.exporter.deblur.core.TileProgress;
import java.io.IOException;
import java.io.InputStream;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** A photograph, restored tile by tile, before and after under one slider. */
public final class PhotoActivity extends Activity {
    private static final int CHOOSE = 1;
    private static final int THREADS = 2;
    private static final int LARGEST_PX = 2048; // of the longer side: what a heap of 256 MB takes

    private final ExecutorService work = Executors.newSingleThreadExecutor();
    private CompareView compare;
    private TextView status;

    @Override
    protected void onCreate(Bundle state) {
        super.onCreate(state);
        setContentView(R.layout.photo);
        compare = (CompareView) findViewById(R.id.compare);
        status = (TextView) findViewById(R.id.status);
        findViewById(R.id.choose).setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View button) {
                Intent intent = new Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE);
                startActivityForResult(intent.setType("image/*"), CHOOSE);
            }
        });
    }

    @Override
    protected void onDestroy() {
        work.shutdownNow();
        super.onDestroy();
    }

    @Override
    protected void onActivityResult(int request, int result, Intent answer) {
        super.onActivityResult(request, result, answer);
        if (request == CHOOSE && result == RESULT_OK && answer != null && answer.getData() != null) {
            final Uri photo = answer.getData();
            work.execute(new Runnable() {
                @Override
                public void run() {
                    restore(photo);
                }
            });
        }
    }

    private void restore(Uri photo) {
        try {
            Bitmap before = decoded(photo);
            show(before, null, getString(R.string.opening));
            long start = System.nanoTime();
            Restorer restorer = Restorer.open(Engines.factory(this), Bundles.current(this), THREADS);
            try {
                RgbImage after = restorer.restore(Pictures.image(before), new TileProgress() {
                    @Override
                    public boolean tileDone(int done, int ofTiles) {
                        say(done + " / " + ofTiles);
                        return !Thread.currentThread().isInterrupted();
                    }
                });
                double seconds = (System.nanoTime() - start) / 1e9;
                String how = restorer.backend + " " + restorer.model.precision + String.format(" · %.2f s", seconds);
                for (String reason : new String[] {restorer.refused, restorer.refusedSizes()}) {
                    how += reason.isEmpty() ? "" : "\n" + reason;
                }
                show(before, Pictures.bitmap(after), how);
            } finally {
                restorer.close();
            }
        } catch (EngineException error) {
            say(error.getMessage());
        } catch (IOException error) {
            say(error.getMessage());
        } catch (OutOfMemoryError error) {
            say("not enough memory for this photograph");
        }
    }

    /** The photograph, halved until it is at most {@link #LARGEST_PX} px long. EXIF turns are not followed. */
    private Bitmap decoded(Uri photo) throws IOException {
        BitmapFactory.Options options = new BitmapFactory.Options();
        options.inJustDecodeBounds = true;
        decode(photo, options);
        options.inSampleSize = 1;
        while (Math.max(options.outWidth, options.outHeight) / options.inSampleSize > LARGEST_PX) {
            options.inSampleSize *= 2;
        }
        options.inJustDecodeBounds = false;
        Bitmap bitmap = decode(photo, options);
        if (bitmap == null) {
            throw new IOException("this is no photograph");
        }
        return bitmap;
    }

    private Bitmap decode(Uri photo, BitmapFactory.Options options) throws IOException {
        InputStream stream = getContentResolver().openInputStream(photo);
        if (stream == null) {
            throw new IOException("this photograph cannot be opened");
        }
        try {
            return BitmapFactory.decodeStream(stream, null, options);
        } finally {
            stream.close();
        }
    }

    private void show(final Bitmap before, final Bitmap after, final String line) {
        runOnUiThread(new Runnable() {
            @Override
            public void run() {
                compare.show(before, after);
                status.setText(line);
            }
        });
    }

    private void say(final String line) {
        runOnUiThread(new Runnable() {
            @Override
            public void run() {
                status.setText(line);
            }
        });
    }
}
