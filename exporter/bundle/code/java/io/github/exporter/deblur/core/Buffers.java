package io.github.exporter.deblur.core;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Tensors as engines take them: direct buffers in the machine's byte order. */
public final class Buffers {
    private Buffers() {}

    public static ByteBuffer direct(TensorSpec spec) {
        return ByteBuffer.allocateDirect(spec.bytes()).order(ByteOrder.nativeOrder());
    }

    /**
     * Back to the start. Java 9 gave ByteBuffer a {@code rewind} of its own; code compiled against a new SDK would ask
     * older devices for it in vain. Through {@link Buffer} every device has it.
     */
    public static void rewind(Buffer buffer) {
        buffer.rewind();
    }
}
