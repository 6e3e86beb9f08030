package io.github.exporter.deblur;

import io.github.exporter.deblur.core.Buffers;
import io.github.exporter.deblur.core.Engine;
import io.github.exporter.deblur.core.EngineException;
import io.github.exporter.deblur.core.ModelSize;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import org.tensorflow.lite.Delegate;
import org.tensorflow.lite.Interpreter;

/** An Interpreter with its delegate. */
final class InterpreterEngine implements Engine {
    private final Interpreter interpreter;
    private final Delegate delegate;
    private final String name;
    private final boolean accelerated;

    /** @param delegate null on the CPU; closed after the interpreter */
    InterpreterEngine(Interpreter interpreter, Delegate delegate, String name) {
        this.interpreter = interpreter;
        this.delegate = delegate;
        this.name = name;
        accelerated = delegate == null || steps(interpreter) == 1;
    }

    @Override
    public boolean isAccelerated() {
        return accelerated;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public void run(ByteBuffer input, ByteBuffer output) throws EngineException {
        Buffers.rewind(input);
        Buffers.rewind(output);
        try {
            interpreter.run(input, output);
        } catch (RuntimeException error) { // its documented IllegalArgument- and IllegalStateException
            throw new EngineException("the Interpreter failed: " + error.getMessage(), error);
        }
        Buffers.rewind(input);
        Buffers.rewind(output);
    }

    @Override
    public void run(ModelSize size, ByteBuffer input, ByteBuffer output) throws EngineException {
        if (size.index == 0) {
            run(input, output);
            return;
        }
        Buffers.rewind(input);
        Buffers.rewind(output);
        Map<String, Object> inputs = new HashMap<String, Object>();
        Map<String, Object> outputs = new HashMap<String, Object>();
        inputs.put(size.input.name, input);
        outputs.put(size.output.name, output);
        try {
            interpreter.runSignature(inputs, outputs, size.name);
        } catch (RuntimeException error) {
            throw new EngineException("the Interpreter failed at " + size.name + ": " + error.getMessage(), error);
        }
        Buffers.rewind(input);
        Buffers.rewind(output);
    }

    @Override
    public void close() {
        interpreter.close();
        if (delegate != null) {
            delegate.close();
        }
    }

    /**
     * How many steps the interpreter takes for one picture; 1 with a delegate means that it took every operator. The
     * API tells it to its own package only; 0 where it does not tell at all, which counts as not accelerated.
     */
    private static int steps(Interpreter interpreter) {
        for (Class<?> kind = interpreter.getClass(); kind != null; kind = kind.getSuperclass()) {
            try {
                Method method = kind.getDeclaredMethod("getExecutionPlanLength");
                method.setAccessible(true);
                return (Integer) method.invoke(interpreter);
            } catch (NoSuchMethodException error) {
                continue;
            } catch (IllegalAccessException error) {
                return 0;
            } catch (InvocationTargetException error) {
                return 0;
            }
        }
        return 0;
    }
}
