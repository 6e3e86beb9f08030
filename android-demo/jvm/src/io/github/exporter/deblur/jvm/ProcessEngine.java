package io.github.exporter.deblur.jvm;

import io.github.exporter.deblur.core.Engine;
import io.github.exporter.deblur.core.EngineException;
import io.github.exporter.deblur.core.ModelSize;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** An engine in a child process: raw input tensors to its standard input, raw output tensors from its standard output. */
final class ProcessEngine implements Engine {
    private final List<String> command;
    private final Map<String, ProcessEngine> others = new HashMap<String, ProcessEngine>(); // a child for each size
    private final Process process;
    private final DataOutputStream toChild;
    private final DataInputStream fromChild;
    private final String name;

    /** Starts {@code command}; its first answer is its name, as {@code DataOutput.writeUTF} would have it. */
    ProcessEngine(List<String> command) throws EngineException {
        this.command = command;
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
    public void run(ModelSize size, ByteBuffer input, ByteBuffer output) throws EngineException {
        if (size.index == 0) {
            run(input, output);
            return;
        }
        ProcessEngine other = others.get(size.name);
        if (other == null) {
            List<String> at = new ArrayList<String>(command);
            at.add(size.name);
            other = new ProcessEngine(at);
            others.put(size.name, other);
        }
        other.run(input, output);
    }

    @Override
    public void close() {
        for (ProcessEngine other : others.values()) {
            other.close();
        }
        process.destroy();
    }
}
