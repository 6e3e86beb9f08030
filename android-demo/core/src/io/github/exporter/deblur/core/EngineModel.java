package io.github.exporter.deblur.core;

import java.nio.ByteBuffer;

/** An engine as tiles see it: real values in, real values out. */
public final class EngineModel implements TileModel {
    private final Engine engine;
    private final TensorSpec inputSpec;
    private final TensorSpec outputSpec;
    private final ByteBuffer input;
    private final ByteBuffer output;
    private final float[] result;

    public EngineModel(Engine engine, TensorSpec inputSpec, TensorSpec outputSpec) {
        this.engine = engine;
        this.inputSpec = inputSpec;
        this.outputSpec = outputSpec;
        this.input = Buffers.direct(inputSpec);
        this.output = Buffers.direct(outputSpec);
        this.result = new float[outputSpec.values()];
    }

    @Override
    public float[] infer(float[] tile) throws EngineException {
        PixelPack.store(tile, inputSpec, input);
        engine.run(input, output);
        PixelPack.load(output, outputSpec, result);
        return result;
    }

    @Override
    public int scale() {
        return outputSpec.height / inputSpec.height;
    }
}
