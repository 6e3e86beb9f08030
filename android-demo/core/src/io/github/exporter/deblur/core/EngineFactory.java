package io.github.exporter.deblur.core;

import java.util.List;

/** What a build of the app can run models with. */
public interface EngineFactory {
    /** Best first; empty in a build without an engine. */
    List<Backend> backends();

    /** Name and version, such as "LiteRT 2.3.0 CompiledModel". */
    String name();

    /**
     * Compiles {@code model} for {@code backend} ALONE, so that acceptance is known.
     *
     * @param threads of the CPU, from 1
     * @throws EngineException when some operator is refused, or the backend is not here
     */
    Engine open(ModelFile model, Backend backend, int threads) throws EngineException;

    /**
     * Compiles it the way apps do that do not look: what {@code backend} refuses runs on the CPU. Its
     * {@link Engine#isAccelerated} is false.
     */
    Engine openWithFallback(ModelFile model, Backend backend, int threads) throws EngineException;
}
