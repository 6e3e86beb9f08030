package com.google.ai.edge.litert;

import android.content.res.AssetManager;
import java.util.List;

public abstract class CompiledModel implements AutoCloseable {
    public static final class CpuOptions {
        public CpuOptions(Integer numThreads, Integer xnnPackFlags, String xnnPackWeightCachePath) {}
    }

    public static final class Options {
        public Options(Accelerator... accelerators) {}

        public void setCpuOptions(CpuOptions options) {}
    }

    public static CompiledModel create(AssetManager assets, String name, Options options) throws LiteRtException {
        throw new UnsupportedOperationException("a stub");
    }

    public static CompiledModel create(String path, Options options) throws LiteRtException {
        throw new UnsupportedOperationException("a stub");
    }

    public abstract List<TensorBuffer> createInputBuffers() throws LiteRtException;

    public abstract List<TensorBuffer> createOutputBuffers() throws LiteRtException;

    public abstract void run(List<TensorBuffer> inputs, List<TensorBuffer> outputs) throws LiteRtException;

    public abstract List<TensorBuffer> createInputBuffers(int signatureIndex) throws LiteRtException;

    public abstract List<TensorBuffer> createOutputBuffers(int signatureIndex) throws LiteRtException;

    public abstract void run(List<TensorBuffer> inputs, List<TensorBuffer> outputs, int signatureIndex)
            throws LiteRtException;

    @Override
    public abstract void close();
}
