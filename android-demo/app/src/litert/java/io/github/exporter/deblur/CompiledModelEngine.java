package io.github.exporter.deblur;

import com.google.ai.edge.litert.CompiledModel;
import com.google.ai.edge.litert.LiteRtException;
import com.google.ai.edge.litert.TensorBuffer;
import io.github.exporter.deblur.core.Buffers;
import io.github.exporter.deblur.core.Engine;
import io.github.exporter.deblur.core.EngineException;
import io.github.exporter.deblur.core.TfliteFile;
import java.nio.ByteBuffer;
import java.util.List;

/** A CompiledModel with its buffers; quantised tensors travel as raw bytes. */
final class CompiledModelEngine implements Engine {
    private final CompiledModel model;
    private final List<TensorBuffer> inputs;
    private final List<TensorBuffer> outputs;
    private final String name;
    private final boolean alone;
    private final float[] floatsIn; // null where the tensor is quantised
    private final byte[] bytesIn;
    private final boolean floatsOut;

    CompiledModelEngine(CompiledModel model, TfliteFile file, String name, boolean alone) throws LiteRtException {
        this.model = model;
        this.name = name;
        this.alone = alone;
        inputs = model.createInputBuffers();
        outputs = model.createOutputBuffers();
        floatsIn = file.input.isFloat() ? new float[file.input.values()] : null;
        bytesIn = file.input.isFloat() ? null : new byte[file.input.values()];
        floatsOut = file.output.isFloat();
    }

    @Override
    public boolean isAccelerated() {
        return alone;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public void run(ByteBuffer input, ByteBuffer output) throws EngineException {
        try {
            Buffers.rewind(input);
            if (floatsIn != null) {
                input.asFloatBuffer().get(floatsIn);
                inputs.get(0).writeFloat(floatsIn);
            } else {
                input.get(bytesIn);
                inputs.get(0).writeInt8(bytesIn);
            }
            model.run(inputs, outputs);
            Buffers.rewind(output);
            if (floatsOut) { // reading waits until the GPU is done
                output.asFloatBuffer().put(outputs.get(0).readFloat());
            } else {
                output.put(outputs.get(0).readInt8());
            }
            Buffers.rewind(input);
            Buffers.rewind(output);
        } catch (LiteRtException error) {
            throw new EngineException("LiteRT failed: " + error.getMessage(), error);
        }
    }

    @Override
    public void close() {
        for (TensorBuffer buffer : inputs) {
            buffer.close();
        }
        for (TensorBuffer buffer : outputs) {
            buffer.close();
        }
        model.close();
    }
}
