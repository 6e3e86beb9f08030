package org.tensorflow.lite;

import java.nio.ByteBuffer;
import java.util.Map;

public final class Interpreter implements AutoCloseable {
    public static class Options {
        public Options setNumThreads(int threads) {
            return this;
        }

        public Options setUseXNNPACK(boolean use) {
            return this;
        }

        public Options addDelegate(Delegate delegate) {
            return this;
        }
    }

    public Interpreter(ByteBuffer model, Options options) {}

    public void run(Object input, Object output) {}

    public void runSignature(Map<String, Object> inputs, Map<String, Object> outputs, String signatureKey) {}

    @Override
    public void close() {}
}
