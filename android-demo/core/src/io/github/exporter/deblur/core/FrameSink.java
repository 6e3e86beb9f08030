package io.github.exporter.deblur.core;

/** Takes camera frames; called on the camera's own thread. */
public interface FrameSink {
    /**
     * One frame. Its buffers are valid until this returns.
     *
     * @param clockwiseDegrees how far it must be turned to be upright
     * @param timestampNanos when it was taken, on any clock that goes evenly
     */
    void frame(YuvFrame frame, int clockwiseDegrees, long timestampNanos);

    /** No more frames will come; one sentence why. */
    void failed(String sentence);
}
