package io.github.exporter.deblur.core;

import java.util.Locale;

/**
 * Camera frames, upright, with the tile in their middle restored: one model call a frame, at the model's own size. Of
 * a model that enlarges, the middle of what it gives stands there.
 * Frames that are not taken are dropped; nothing queues up.
 */
public final class LivePreview implements FrameSink {
    private final Restorer restorer;
    private final ThermalSource thermal;
    private final LiveView view;
    private final Clock clock;
    private final FramePacer pacer = new FramePacer();
    private boolean stopped;

    /** @param restorer null in a build without an engine: frames are shown with their sharpness only */
    public LivePreview(Restorer restorer, ThermalSource thermal, LiveView view, Clock clock) {
        this.restorer = restorer;
        this.thermal = thermal;
        this.view = view;
        this.clock = clock;
    }

    @Override
    public void frame(YuvFrame frame, int clockwiseDegrees, long timestampNanos) {
        if (stopped) {
            return;
        }
        pacer.setThermalStatus(thermal.status());
        if (!pacer.take(timestampNanos)) {
            return;
        }
        long start = clock.nanos();
        RgbImage picture = Yuv.toRgb(frame, clockwiseDegrees);
        try {
            String status = restoreMiddle(picture);
            pacer.done(clock.nanos() - start);
            view.show(picture, status);
        } catch (EngineException error) {
            failed(error.getMessage());
        }
    }

    @Override
    public void failed(String sentence) {
        stopped = true;
        view.stopped(sentence);
    }

    private String restoreMiddle(RgbImage picture) throws EngineException {
        int height = Math.min(picture.height, restorer == null ? 256 : restorer.bundle.manifest.tiling.height);
        int width = Math.min(picture.width, restorer == null ? 256 : restorer.bundle.manifest.tiling.width);
        int top = (picture.height - height) / 2;
        int left = (picture.width - width) / 2;
        RgbImage middle = picture.crop(top, left, height, width);
        double sharpness = BlurGate.sharpness(PixelPack.real(middle), height, width);
        String measured = String.format(Locale.ROOT, "sharpness %.2f · %.1f fps", sharpness, pacer.framesPerSecond());
        if (restorer == null) {
            return "no engine · " + measured;
        }
        long start = clock.nanos();
        RgbImage restored = restorer.restore(middle, null);
        double modelMs = (clock.nanos() - start) / 1e6;
        int scale = restored.height / height;
        String where = restorer.backend + " " + restorer.model.precision + (scale > 1 ? " · ×" + scale : "");
        if (scale > 1) { // its middle fits in, as under a magnifying glass
            restored = restored.crop((scale - 1) * height / 2, (scale - 1) * width / 2, height, width);
        }
        picture.paste(restored, top, left);
        return String.format(Locale.ROOT, "%s · %.1f ms · %s", where, modelMs, measured);
    }
}
