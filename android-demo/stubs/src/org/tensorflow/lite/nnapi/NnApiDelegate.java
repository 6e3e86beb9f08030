package org.tensorflow.lite.nnapi;

import org.tensorflow.lite.Delegate;

public class NnApiDelegate implements Delegate {
    @Override
    public long getNativeHandle() {
        return 0;
    }

    @Override
    public void close() {}
}
