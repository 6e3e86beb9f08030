package io.github.exporter.deblur.jvm;

import io.github.exporter.deblur.core.Engine;
import io.github.exporter.deblur.core.EngineException;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/** An engine in a child process: raw input tensors to its standard input, raw output tensors from its standard output. */
final class ProcessEngine implements Engine {
    private final Process process;
    private final DataOutputStream toChild;
    private final DataInputStream fromChild;
    private final String name;

    /** Starts {@code command}; its first answer is its name, as {@code DataOutput.writeUTF} would have it. */
    ProcessEngine(List<String> command) throws EngineException {
        try {
            process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
            toChild = new DataOutputStream(process.getOutputStream());
            fromChild = new DataInputStream(process.getInputStream());
            name = fromChild.readUTF();
        } catch (IOException error) {
            throw new EngineException("the engine did not start: " + command, error);
        }
    }

    @Override
    public boolean isAccelerated() {
        return true; // it is asked for the CPU only
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public void run(ByteBuffer input, ByteBuffer output) throws EngineException {
        byte[] sent = new byte[input.limit()];
        byte[] got = new byte[output.limit()];
        input.rewind();
        input.get(sent);
        input.rewind();
        try {
            toChild.write(sent);
            toChild.flush();
            fromChild.readFully(got);
        } catch (IOException error) {
            throw new EngineException("the engine died", error);
        }
        output.rewind();
        output.put(got);
        output.rewind();
    }

    @Override
    public void close() {
        process.destroy();
    }
}
