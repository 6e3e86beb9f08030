package io.github.exporter.deblur.jvm;

import io.github.exporter.deblur.core.Backend;
import io.github.exporter.deblur.core.Engine;
import io.github.exporter.deblur.core.EngineException;
import io.github.exporter.deblur.core.EngineFactory;
import io.github.exporter.deblur.core.ModelFile;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/** LiteRT for Python as the engine: `PYTHON litert_child.py MODEL THREADS`. It knows the CPU only. */
final class ProcessEngines implements EngineFactory {
    private final String python;
    private final String program;

    ProcessEngines(String python, String program) {
        this.python = python;
        this.program = program;
    }

    @Override
    public List<Backend> backends() {
        return Collections.singletonList(Backend.CPU);
    }

    @Override
    public String name() {
        return "LiteRT in a child process";
    }

    @Override
    public Engine open(ModelFile model, Backend backend, int threads) throws EngineException {
        if (backend != Backend.CPU) {
            throw new EngineException("a JVM has no " + backend);
        }
        return new ProcessEngine(Arrays.asList(python, program, model.path, String.valueOf(threads)));
    }

    @Override
    public Engine openWithFallback(ModelFile model, Backend backend, int threads) throws EngineException {
        final Engine onCpu = open(model, Backend.CPU, threads);
        return new FallenBack(onCpu);
    }
}
