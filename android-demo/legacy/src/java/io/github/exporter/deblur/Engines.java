package io.github.exporter.deblur;

import android.content.Context;
import android.content.res.AssetFileDescriptor;
import io.github.exporter.deblur.core.Backend;
import io.github.exporter.deblur.core.Engine;
import io.github.exporter.deblur.core.EngineException;
import io.github.exporter.deblur.core.EngineFactory;
import io.github.exporter.deblur.core.ModelFile;
import java.io.FileInputStream;
import java.io.IOException;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.util.Arrays;
import java.util.List;
import org.tensorflow.lite.Delegate;
import org.tensorflow.lite.Interpreter;
import org.tensorflow.lite.gpu.GpuDelegate;
import org.tensorflow.lite.nnapi.NnApiDelegate;

/** The classic Interpreter: GpuDelegate, XNNPACK, and NNAPI where the device still has it. */
final class Engines implements EngineFactory {
    static final String VERSION = "1.4.2"; // of gradle/libs.versions.toml

    private final Context context;

    private Engines(Context context) {
        this.context = context;
    }

    static EngineFactory factory(Context context) {
        return new Engines(context);
    }

    @Override
    public List<Backend> backends() {
        return Arrays.asList(Backend.GPU, Backend.CPU, Backend.NNAPI);
    }

    @Override
    public String name() {
        return "LiteRT " + VERSION + " Interpreter";
    }

    /** A delegate that takes only some operators is refused: this API would run the rest on the CPU without a word. */
    @Override
    public Engine open(ModelFile model, Backend backend, int threads) throws EngineException {
        Engine engine = openWithFallback(model, backend, threads);
        if (!engine.isAccelerated()) {
            engine.close();
            throw new EngineException("some operators stay on the CPU");
        }
        return engine;
    }

    @Override
    public Engine openWithFallback(ModelFile model, Backend backend, int threads) throws EngineException {
        Delegate delegate = null;
        try {
            delegate = delegate(backend);
            Interpreter.Options options = new Interpreter.Options();
            options.setNumThreads(threads);
            options.setUseXNNPACK(true);
            if (delegate != null) {
                options.addDelegate(delegate);
            }
            Interpreter interpreter = new Interpreter(mapped(model), options);
            return new InterpreterEngine(interpreter, delegate, name() + " " + backend);
        } catch (IOException error) {
            throw new EngineException("the model cannot be read: " + error.getMessage(), error);
        } catch (IllegalArgumentException error) { // what the Interpreter throws for a model or delegate it refuses
            if (delegate != null) {
                delegate.close();
            }
            throw new EngineException(backend + " refused the model: " + error.getMessage(), error);
        } catch (LinkageError error) {
            throw new EngineException(backend + " is not in this build: " + error.getMessage(), error);
        }
    }

    private static Delegate delegate(Backend backend) {
        switch (backend) {
            case GPU:
                return new GpuDelegate();
            case NNAPI:
                return new NnApiDelegate();
            default:
                return null;
        }
    }

    /** Mapped, not copied: an asset must be stored uncompressed for that. */
    private MappedByteBuffer mapped(ModelFile model) throws IOException {
        if (!model.isAsset) {
            FileInputStream stream = new FileInputStream(model.path);
            try {
                return stream.getChannel().map(FileChannel.MapMode.READ_ONLY, 0, stream.getChannel().size());
            } finally {
                stream.close();
            }
        }
        AssetFileDescriptor asset = context.getAssets().openFd(model.path);
        try {
            FileInputStream stream = new FileInputStream(asset.getFileDescriptor());
            try {
                FileChannel channel = stream.getChannel();
                return channel.map(FileChannel.MapMode.READ_ONLY, asset.getStartOffset(), asset.getDeclaredLength());
            } finally {
                stream.close();
            }
        } finally {
            asset.close();
        }
    }
}
