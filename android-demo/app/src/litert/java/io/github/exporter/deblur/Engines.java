package io.github.exporter.deblur;

import android.content.Context;
import com.google.ai.edge.litert.Accelerator;
import com.google.ai.edge.litert.CompiledModel;
import com.google.ai.edge.litert.LiteRtException;
import io.github.exporter.deblur.core.Backend;
import io.github.exporter.deblur.core.BundleException;
import io.github.exporter.deblur.core.Engine;
import io.github.exporter.deblur.core.EngineException;
import io.github.exporter.deblur.core.EngineFactory;
import io.github.exporter.deblur.core.ModelFile;
import io.github.exporter.deblur.core.Streams;
import io.github.exporter.deblur.core.TfliteFile;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;

/** LiteRT's CompiledModel: the GPU by ML Drift, the CPU by XNNPACK. */
final class Engines implements EngineFactory {
    static final String VERSION = "2.3.0"; // of gradle/libs.versions.toml

    private final Context context;

    private Engines(Context context) {
        this.context = context;
    }

    static EngineFactory factory(Context context) {
        return new Engines(context);
    }

    @Override
    public List<Backend> backends() {
        return Arrays.asList(Backend.GPU, Backend.CPU);
    }

    @Override
    public String name() {
        return "LiteRT " + VERSION + " CompiledModel";
    }

    /** GPU without CPU beside it: LiteRT then refuses a model of which an operator would stay on the CPU. */
    @Override
    public Engine open(ModelFile model, Backend backend, int threads) throws EngineException {
        return compiled(model, new CompiledModel.Options(accelerator(backend)), threads, true);
    }

    @Override
    public Engine openWithFallback(ModelFile model, Backend backend, int threads) throws EngineException {
        Accelerator wanted = backend == Backend.GPU ? Accelerator.GPU : Accelerator.CPU;
        return compiled(model, new CompiledModel.Options(wanted, Accelerator.CPU), threads, false);
    }

    private Engine compiled(ModelFile model, CompiledModel.Options options, int threads, boolean alone)
            throws EngineException {
        options.setCpuOptions(new CompiledModel.CpuOptions(threads, null, null));
        try {
            TfliteFile file = TfliteFile.read(model.path, Streams.readAll(model.open()));
            CompiledModel compiled = model.isAsset
                    ? CompiledModel.create(context.getAssets(), model.path, options)
                    : CompiledModel.create(model.path, options);
            return new CompiledModelEngine(compiled, file, name(), alone);
        } catch (LiteRtException error) {
            throw new EngineException("LiteRT refused the model: " + error.getMessage(), error);
        } catch (BundleException error) {
            throw new EngineException(error.getMessage(), error);
        } catch (IOException error) {
            throw new EngineException("the model cannot be read: " + error.getMessage(), error);
        } catch (LinkageError error) {
            throw new EngineException("LiteRT is not in this build: " + error.getMessage(), error);
        }
    }

    private static Accelerator accelerator(Backend backend) throws EngineException {
        switch (backend) {
            case GPU:
                return Accelerator.GPU;
            case CPU:
                return Accelerator.CPU;
            default:
                throw new EngineException("LiteRT " + VERSION + " has no NNAPI; the flavour legacy has");
        }
    }
}
