package io.github.exporter.deblur;

import android.app.Activity;
import android.os.Handler;
import io.github.exporter.deblur.core.FrameSource;

/** The camera of this flavour: CameraX. */
final class Cameras {
    private Cameras() {}

    /** @param handler frames come on its thread */
    static FrameSource back(Activity activity, Handler handler) {
        return new CameraXFrames(activity, handler);
    }
}
