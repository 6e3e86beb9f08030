package io.github.exporter.deblur.core;

import java.io.Closeable;
import java.nio.ByteBuffer;

/** A model, compiled for one backend, on a thread of its own: open, run and close it on the same one. */
public interface Engine extends TensorRunner, Closeable {
    /** Whether ALL operators run on the backend that was asked for; never true after a fallback. */
    boolean isAccelerated();

    /** Name and version, such as "LiteRT 2.3.0 CompiledModel". */
    String name();

    /**
     * The same as {@link #run(ModelSize, ByteBuffer, ByteBuffer)} at the model's first size.
     *
     * @param input raw input tensor, direct, machine byte order, from its position 0
     * @param output takes the raw output tensor; rewound
     * @throws EngineException when the engine fails
     */
    void run(ByteBuffer input, ByteBuffer output) throws EngineException;

    @Override
    void close();
}
