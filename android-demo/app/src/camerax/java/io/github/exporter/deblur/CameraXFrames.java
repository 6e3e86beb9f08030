package io.github.exporter.deblur;

import android.app.Activity;
import android.os.Handler;
import android.util.Size;
import androidx.camera.core.CameraSelector;
import androidx.camera.core.ImageAnalysis;
import androidx.camera.core.ImageProxy;
import androidx.camera.core.resolutionselector.ResolutionSelector;
import androidx.camera.core.resolutionselector.ResolutionStrategy;
import androidx.camera.lifecycle.ProcessCameraProvider;
import androidx.lifecycle.Lifecycle;
import androidx.lifecycle.LifecycleOwner;
import androidx.lifecycle.LifecycleRegistry;
import com.google.common.util.concurrent.ListenableFuture;
import io.github.exporter.deblur.core.FrameSink;
import io.github.exporter.deblur.core.FrameSource;
import io.github.exporter.deblur.core.YuvFrame;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;

/** Frames of the camera at the back, near 1280 × 720 px, by CameraX; a frame that comes while one is in work is dropped. */
final class CameraXFrames implements FrameSource, LifecycleOwner {
    private final Activity activity;
    private final Handler handler;
    private final LifecycleRegistry lifecycle = new LifecycleRegistry(this); // touched on the main thread only
    private FrameSink sink;
    private volatile boolean closed;

    CameraXFrames(Activity activity, Handler handler) {
        this.activity = activity;
        this.handler = handler;
    }

    @Override
    public Lifecycle getLifecycle() {
        return lifecycle;
    }

    @Override
    public void start(FrameSink frames) {
        sink = frames;
        final ListenableFuture<ProcessCameraProvider> provider = ProcessCameraProvider.getInstance(activity);
        provider.addListener(new Runnable() {
            @Override
            public void run() {
                bind(provider);
            }
        }, onMainThread());
    }

    @Override
    public void close() {
        closed = true;
        activity.runOnUiThread(new Runnable() {
            @Override
            public void run() {
                lifecycle.setCurrentState(Lifecycle.State.DESTROYED); // CameraX lets go of the camera by itself
            }
        });
    }

    private void bind(ListenableFuture<ProcessCameraProvider> provider) {
        if (closed) {
            return;
        }
        try {
            ImageAnalysis analysis = new ImageAnalysis.Builder()
                    .setResolutionSelector(new ResolutionSelector.Builder()
                            .setResolutionStrategy(new ResolutionStrategy(
                                    new Size(1280, 720), ResolutionStrategy.FALLBACK_RULE_CLOSEST_LOWER_THEN_HIGHER))
                            .build())
                    .setBackpressureStrategy(ImageAnalysis.STRATEGY_KEEP_ONLY_LATEST)
                    .build();
            analysis.setAnalyzer(onHandler(), analyzer());
            lifecycle.setCurrentState(Lifecycle.State.RESUMED);
            provider.get().bindToLifecycle(this, CameraSelector.DEFAULT_BACK_CAMERA, analysis);
        } catch (ExecutionException error) {
            sink.failed("CameraX did not start: " + error.getCause());
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        } catch (IllegalArgumentException error) { // no such camera
            sink.failed("this device has no camera that looks away from you");
        }
    }

    private ImageAnalysis.Analyzer analyzer() {
        return new ImageAnalysis.Analyzer() {
            @Override
            public void analyze(ImageProxy image) {
                try {
                    if (!closed) {
                        sink.frame(frame(image), image.getImageInfo().getRotationDegrees(), image.getImageInfo().getTimestamp());
                    }
                } finally {
                    image.close();
                }
            }
        };
    }

    private static YuvFrame frame(ImageProxy image) {
        ImageProxy.PlaneProxy[] planes = image.getPlanes();
        return new YuvFrame(
                image.getHeight(),
                image.getWidth(),
                planes[0].getBuffer(),
                planes[1].getBuffer(),
                planes[2].getBuffer(),
                planes[0].getRowStride(),
                planes[1].getRowStride(),
                planes[1].getPixelStride());
    }

    private Executor onMainThread() {
        return new Executor() {
            @Override
            public void execute(Runnable command) {
                activity.runOnUiThread(command);
            }
        };
    }

    private Executor onHandler() {
        return new Executor() {
            @Override
            public void execute(Runnable command) {
                handler.post(command);
            }
        };
    }
}
