package io.github.exporter.deblur;

import com.google.ai.edge.litert.CompiledModel;
import com.google.ai.edge.litert.LiteRtException;
import com.google.ai.edge.litert.TensorBuffer;
import io.github.exporter.deblur.core.Buffers;
import io.github.exporter.deblur.core.Engine;
import io.github.exporter.deblur.core.EngineException;
import io.github.exporter.deblur.core.ModelSize;
import io.github.exporter.deblur.core.TensorSpec;
import io.github.exporter.deblur.core.TfliteFile;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A CompiledModel with its buffers, for each size that is used; quantised tensors travel as raw bytes. */
final class CompiledModelEngine implements Engine {
    private final CompiledModel model;
    private final Map<Integer, Ends> ends = new HashMap<Integer, Ends>(); // by signature index
    private final String name;
    private final boolean alone;

    CompiledModelEngine(CompiledModel model, TfliteFile file, String name, boolean alone) throws LiteRtException {
        this.model = model;
        this.name = name;
        this.alone = alone;
        ends.put(0, new Ends(0, file.input, file.output));
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
            ends.get(0).run(input, output);
        } catch (LiteRtException error) {
            throw new EngineException("LiteRT failed: " + error.getMessage(), error);
        }
    }

    @Override
    public void run(ModelSize size, ByteBuffer input, ByteBuffer output) throws EngineException {
        try {
            if (!ends.containsKey(size.index)) {
                ends.put(size.index, new Ends(size.index, size.input, size.output));
            }
            ends.get(size.index).run(input, output);
        } catch (LiteRtException error) {
            throw new EngineException("LiteRT failed at " + size.name + ": " + error.getMessage(), error);
        }
    }

    @Override
    public void close() {
        for (Ends each : ends.values()) {
            each.close();
        }
        model.close();
    }

    /** The buffers of one signature. */
    private final class Ends {
        private final int signature;
        private final List<TensorBuffer> inputs;
        private final List<TensorBuffer> outputs;
        private final float[] floatsIn; // null where the tensor is quantised
        private final byte[] bytesIn;
        private final boolean floatsOut;

        Ends(int signature, TensorSpec input, TensorSpec output) throws LiteRtException {
            this.signature = signature;
            inputs = model.createInputBuffers(signature);
            outputs = model.createOutputBuffers(signature);
            floatsIn = input.isFloat() ? new float[input.values()] : null;
            bytesIn = input.isFloat() ? null : new byte[input.values()];
            floatsOut = output.isFloat();
        }

        void run(ByteBuffer input, ByteBuffer output) throws LiteRtException {
            Buffers.rewind(input);
            if (floatsIn != null) {
                input.asFloatBuffer().get(floatsIn);
                inputs.get(0).writeFloat(floatsIn);
            } else {
                input.get(bytesIn);
                inputs.get(0).writeInt8(bytesIn);
            }
            model.run(inputs, outputs, signature);
            Buffers.rewind(output);
            if (floatsOut) { // reading waits until the GPU is done
                output.asFloatBuffer().put(outputs.get(0).readFloat());
            } else {
                output.put(outputs.get(0).readInt8());
            }
            Buffers.rewind(input);
            Buffers.rewind(output);
        }

        void close() {
            for (TensorBuffer buffer : inputs) {
                buffer.close();
            }
            for (TensorBuffer buffer : outputs) {
                buffer.close();
            }
        }
    }
}
