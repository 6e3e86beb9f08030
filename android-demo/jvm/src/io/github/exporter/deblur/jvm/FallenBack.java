package io.github.exporter.deblur.jvm;

import io.github.exporter.deblur.core.Engine;
import io.github.exporter.deblur.core.EngineException;
import io.github.exporter.deblur.core.ModelSize;
import java.nio.ByteBuffer;

/** An engine that does not run where it was asked to. */
final class FallenBack implements Engine {
    private final Engine engine;

    FallenBack(Engine engine) {
        this.engine = engine;
    }

    @Override
    public boolean isAccelerated() {
        return false;
    }

    @Override
    public String name() {
        return engine.name();
    }

    @Override
    public void run(ByteBuffer input, ByteBuffer output) throws EngineException {
        engine.run(input, output);
    }

    @Override
    public void run(ModelSize size, ByteBuffer input, ByteBuffer output) throws EngineException {
        engine.run(size, input, output);
    }

    @Override
    public void close() {
        engine.close();
    }
}
