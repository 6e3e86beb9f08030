package io.github.exporter.deblur.core;

import java.nio.ByteBuffer;

/** An engine at one size, as tiles see it: real values in, real values out. */
public final class EngineModel implements TileModel {
    private final TensorRunner engine;
    private final ModelSize size;
    private final ByteBuffer input;
    private final ByteBuffer output;
    private final float[] result;

    public EngineModel(TensorRunner engine, ModelSize size) {
        this.engine = engine;
        this.size = size;
        this.input = Buffers.direct(size.input);
        this.output = Buffers.direct(size.output);
        this.result = new float[size.output.values()];
    }

    @Override
    public float[] infer(float[] tile) throws EngineException {
        PixelPack.store(tile, size.input, input);
        engine.run(size, input, output);
        PixelPack.load(output, size.output, result);
        return result;
    }

    @Override
    public int scale() {
        return size.output.height / size.input.height;
    }
}
