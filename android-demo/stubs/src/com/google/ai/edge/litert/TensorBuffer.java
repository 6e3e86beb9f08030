package com.google.ai.edge.litert;

public abstract class TensorBuffer implements AutoCloseable {
    public abstract void writeFloat(float[] data) throws LiteRtException;

    public abstract void writeInt8(byte[] data) throws LiteRtException;

    public abstract float[] readFloat() throws LiteRtException;

    public abstract byte[] readInt8() throws LiteRtException;

    @Override
    public abstract void close();
}
