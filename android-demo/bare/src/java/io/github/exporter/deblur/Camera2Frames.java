package io.github.exporter.deblur;

import android.app.Activity;
import android.content.Context;
import android.graphics.ImageFormat;
import android.hardware.camera2.CameraAccessException;
import android.hardware.camera2.CameraCaptureSession;
import android.hardware.camera2.CameraCharacteristics;
import android.hardware.camera2.CameraDevice;
import android.hardware.camera2.CameraManager;
import android.hardware.camera2.CaptureRequest;
import android.hardware.camera2.params.StreamConfigurationMap;
import android.media.Image;
import android.media.ImageReader;
import android.os.Handler;
import android.util.Size;
import android.view.Surface;
import io.github.exporter.deblur.core.FrameSink;
import io.github.exporter.deblur.core.FrameSource;
import io.github.exporter.deblur.core.YuvFrame;
import java.util.Collections;

/** Frames of the first camera that looks away from the user, near 1280 × 720 px. */
final class Camera2Frames implements FrameSource {
    private static final int PIXELS = 1280 * 720;
    private static final int IMAGES = 2; // one in work, the newest waiting

    private final Activity activity;
    private final Handler handler;
    private FrameSink sink;
    private ImageReader reader;
    private CameraDevice device;
    private boolean closed;
    private int sensorDegrees;

    Camera2Frames(Activity activity, Handler handler) {
        this.activity = activity;
        this.handler = handler;
    }

    @Override
    public void start(FrameSink frames) {
        sink = frames;
        CameraManager manager = (CameraManager) activity.getSystemService(Context.CAMERA_SERVICE);
        try {
            String camera = back(manager);
            if (camera == null) {
                sink.failed("this device has no camera that looks away from you");
                return;
            }
            CameraCharacteristics traits = manager.getCameraCharacteristics(camera);
            Integer degrees = traits.get(CameraCharacteristics.SENSOR_ORIENTATION);
            sensorDegrees = degrees == null ? 0 : degrees;
            Size size = size(traits.get(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP));
            reader = ImageReader.newInstance(size.getWidth(), size.getHeight(), ImageFormat.YUV_420_888, IMAGES);
            reader.setOnImageAvailableListener(listener(), handler);
            manager.openCamera(camera, deviceCallback(), handler);
        } catch (CameraAccessException error) {
            sink.failed("the camera cannot be opened: " + error.getMessage());
        } catch (SecurityException error) {
            sink.failed("the camera was not permitted");
        }
    }

    @Override
    public void close() {
        closed = true;
        if (device != null) {
            device.close();
        }
        if (reader != null) {
            reader.close();
        }
    }

    private ImageReader.OnImageAvailableListener listener() {
        return new ImageReader.OnImageAvailableListener() {
            @Override
            public void onImageAvailable(ImageReader source) {
                Image image = closed ? null : source.acquireLatestImage();
                if (image != null) {
                    try {
                        sink.frame(frame(image), clockwiseDegrees(), image.getTimestamp());
                    } finally {
                        image.close();
                    }
                }
            }
        };
    }

    private CameraDevice.StateCallback deviceCallback() {
        return new CameraDevice.StateCallback() {
            @Override
            public void onOpened(CameraDevice opened) {
                device = opened;
                if (closed) {
                    opened.close();
                    return;
                }
                try {
                    opened.createCaptureSession(Collections.singletonList(reader.getSurface()), sessionCallback(), handler);
                } catch (CameraAccessException error) {
                    sink.failed("the camera gives no frames: " + error.getMessage());
                }
            }

            @Override
            public void onDisconnected(CameraDevice lost) {
                lost.close();
                sink.failed("another app took the camera");
            }

            @Override
            public void onError(CameraDevice broken, int code) {
                broken.close();
                sink.failed("the camera failed with code " + code);
            }
        };
    }

    private CameraCaptureSession.StateCallback sessionCallback() {
        return new CameraCaptureSession.StateCallback() {
            @Override
            public void onConfigured(CameraCaptureSession session) {
                try {
                    CaptureRequest.Builder request = device.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW);
                    request.addTarget(reader.getSurface());
                    session.setRepeatingRequest(request.build(), null, handler);
                } catch (CameraAccessException error) {
                    sink.failed("the camera gives no frames: " + error.getMessage());
                } catch (IllegalStateException error) { // closed in the meantime
                    closed = true;
                }
            }

            @Override
            public void onConfigureFailed(CameraCaptureSession session) {
                sink.failed("the camera refused this size");
            }
        };
    }

    /** How far a frame must be turned for the way the device is held. */
    private int clockwiseDegrees() {
        int rotation = activity.getWindowManager().getDefaultDisplay().getRotation();
        int display = rotation == Surface.ROTATION_90 ? 90
                : rotation == Surface.ROTATION_180 ? 180 : rotation == Surface.ROTATION_270 ? 270 : 0;
        return (sensorDegrees - display + 360) % 360;
    }

    private static YuvFrame frame(Image image) {
        Image.Plane[] planes = image.getPlanes();
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

    private static String back(CameraManager manager) throws CameraAccessException {
        for (String camera : manager.getCameraIdList()) {
            Integer facing = manager.getCameraCharacteristics(camera).get(CameraCharacteristics.LENS_FACING);
            if (facing != null && facing == CameraCharacteristics.LENS_FACING_BACK) {
                return camera;
            }
        }
        return null;
    }

    private static Size size(StreamConfigurationMap map) {
        Size best = null;
        for (Size size : map.getOutputSizes(ImageFormat.YUV_420_888)) {
            if (best == null || distance(size) < distance(best)) {
                best = size;
            }
        }
        return best;
    }

    private static int distance(Size size) {
        return Math.abs(size.getWidth() * size.getHeight() - PIXELS);
    }
}
