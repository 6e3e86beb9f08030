package io.github.exporter.deblur.core;

import java.nio.ByteBuffer;

/** Whatever runs a model file: an Interpreter, a CompiledModel, a process of its own. */
public interface TensorRunner {
    /**
     * Writes the input, runs, reads the output back; returns when the output is there.
     *
     * @param size which of the model's sizes, by name or index of its signature; of a file of one size the only one
     * @param input raw input tensor, direct, machine byte order, from its position 0
     * @param output takes the raw output tensor; rewound
     * @throws EngineException when the engine fails
     */
    void run(ModelSize size, ByteBuffer input, ByteBuffer output) throws EngineException;
}
