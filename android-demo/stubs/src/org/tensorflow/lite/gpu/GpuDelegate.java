package org.tensorflow.lite.gpu;

import org.tensorflow.lite.Delegate;

public class GpuDelegate implements Delegate {
    @Override
    public long getNativeHandle() {
        return 0;
    }

    @Override
    public void close() {}
}
