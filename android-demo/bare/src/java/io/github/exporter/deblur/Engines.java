package io.github.exporter.deblur;

import android.content.Context;
import io.github.exporter.deblur.core.Backend;
import io.github.exporter.deblur.core.Engine;
import io.github.exporter.deblur.core.EngineException;
import io.github.exporter.deblur.core.EngineFactory;
import io.github.exporter.deblur.core.ModelFile;
import java.util.Collections;
import java.util.List;

/** No engine: this build is made of Debian's parts alone, and LiteRT comes as an AAR of Google's. */
final class Engines implements EngineFactory {
    private static final String NONE = "this build has no engine: build the flavour litert or legacy with Gradle";

    private Engines() {}

    static EngineFactory factory(Context context) {
        return new Engines();
    }

    @Override
    public List<Backend> backends() {
        return Collections.emptyList();
    }

    @Override
    public String name() {
        return NONE;
    }

    @Override
    public Engine open(ModelFile model, Backend backend, int threads) throws EngineException {
        throw new EngineException(NONE);
    }

    @Override
    public Engine openWithFallback(ModelFile model, Backend backend, int threads) throws EngineException {
        throw new EngineException(NONE);
    }
}
