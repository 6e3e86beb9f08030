package io.github.exporter.deblur;

import android.Manifest;
import android.app.Activity;
import android.content.Intent;
import android.content.pm.PackageManager;
import android.graphics.Bitmap;
import android.os.Bundle;
import android.os.Handler;
import android.os.HandlerThread;
import android.view.View;
import android.view.WindowManager;
import android.widget.ImageView;
import android.widget.TextView;
import io.github.exporter.deblur.core.Clock;
import io.github.exporter.deblur.core.EngineException;
import io.github.exporter.deblur.core.FrameSource;
import io.github.exporter.deblur.core.LivePreview;
import io.github.exporter.deblur.core.LiveView;
import io.github.exporter.deblur.core.Restorer;
import io.github.exporter.deblur.core.RgbImage;
import java.io.IOException;

/** The camera's picture with the tile in its middle restored, and below it what computes, how fast, and why not better. */
public final class LiveActivity extends Activity implements LiveView {
    private static final int THREADS = 2;

    private ImageView picture;
    private TextView status;
    private HandlerThread worker;
    private Handler work;
    private FrameSource camera; // these two live on the worker: engines want one thread
    private Restorer restorer;
    private String header = "";

    @Override
    protected void onCreate(Bundle state) {
        super.onCreate(state);
        setContentView(R.layout.live);
        getWindow().addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON);
        picture = (ImageView) findViewById(R.id.picture);
        status = (TextView) findViewById(R.id.status);
        findViewById(R.id.photo).setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View button) {
                startActivity(new Intent(LiveActivity.this, PhotoActivity.class));
            }
        });
        if (checkSelfPermission(Manifest.permission.CAMERA) != PackageManager.PERMISSION_GRANTED) {
            requestPermissions(new String[] {Manifest.permission.CAMERA}, 0);
        }
    }

    @Override
    protected void onResume() {
        super.onResume();
        if (checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED) {
            worker = new HandlerThread("live");
            worker.start();
            work = new Handler(worker.getLooper());
            work.post(new Runnable() {
                @Override
                public void run() {
                    open();
                }
            });
        } else {
            status.setText(R.string.no_camera);
        }
    }

    @Override
    protected void onPause() {
        if (worker != null) {
            work.post(new Runnable() {
                @Override
                public void run() {
                    close();
                }
            });
            worker.quitSafely();
            worker = null;
        }
        super.onPause();
    }

    private void open() {
        header = "";
        try {
            restorer = Restorer.open(Engines.factory(this), Bundles.current(this), THREADS);
            String denoise = restorer.bundle.manifest.denoise > 0 ? "\n" + getString(R.string.denoise_ignored) : "";
            String signer = restorer.bundle.signer() == null ? "" : ", signed by the " + restorer.bundle.signer();
            header = restorer.bundle.manifest.name + " " + restorer.bundle.manifest.version + signer + denoise + "\n"
                    + (restorer.refused.isEmpty() ? "" : restorer.refused + "\n");
        } catch (EngineException error) { // the camera runs all the same
            header = error.getMessage() + "\n";
        } catch (IOException error) {
            header = error.getMessage() + "\n";
        }
        camera = Cameras.back(this, work);
        camera.start(new LivePreview(restorer, new Heat(this), this, Clock.SYSTEM));
    }

    private void close() {
        if (camera != null) {
            camera.close();
            camera = null;
        }
        if (restorer != null) {
            restorer.close();
            restorer = null;
        }
    }

    @Override
    public void show(RgbImage image, final String line) {
        final Bitmap bitmap = Pictures.bitmap(image);
        runOnUiThread(new Runnable() {
            @Override
            public void run() {
                picture.setImageBitmap(bitmap);
                status.setText(header + line);
            }
        });
    }

    @Override
    public void stopped(final String sentence) {
        runOnUiThread(new Runnable() {
            @Override
            public void run() {
                status.setText(header + sentence);
            }
        });
    }
}
