package io.github.exporter.deblur.core;

import java.io.Closeable;

/** A camera. */
public interface FrameSource extends Closeable {
    /** Starts; a frame that comes while the sink is busy is dropped. */
    void start(FrameSink sink);

    @Override
    void close();
}
