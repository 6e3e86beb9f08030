plugins {
    alias(libs.plugins.android.application)
}

val demo = rootDir.resolve("..")
val handedOut = demo.resolve("../exporter/bundle/code/java") // what bundles hand out; core/ is built upon it

android {
    namespace = "io.github.exporter.deblur"
    compileSdk = 36

    defaultConfig {
        applicationId = "io.github.exporter.deblur"
        minSdk = 24
        targetSdk = 34
        versionCode = 1
        versionName = "0.1.0"
    }

    flavorDimensions += "engine"
    productFlavors {
        create("litert") // CompiledModel: GPU by ML Drift, CPU by XNNPACK
        create("legacy") // Interpreter: GpuDelegate, XNNPACK, NNAPI
        create("bare") // no engine, no AAR: what CI builds
    }

    sourceSets {
        getByName("main") {
            manifest.srcFile(demo.resolve("app/src/main/AndroidManifest.xml"))
            java.setSrcDirs(listOf(handedOut, demo.resolve("core/src"), demo.resolve("app/src/main/java")))
            res.setSrcDirs(listOf(demo.resolve("app/src/main/res")))
            assets.setSrcDirs(listOf("assets")) // assets/bundle/: a bundle of the exporter's
        }
        getByName("litert").java.setSrcDirs(listOf(demo.resolve("app/src/camerax/java"), demo.resolve("app/src/litert/java")))
        getByName("legacy").java.setSrcDirs(listOf(demo.resolve("app/src/camerax/java"), demo.resolve("legacy/src/java")))
        getByName("bare").java.setSrcDirs(listOf(demo.resolve("bare/src/java")))
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_11
        targetCompatibility = JavaVersion.VERSION_11
    }

    androidResources { noCompress += "tflite" } // so that the model can be mapped
}

dependencies {
    implementation(fileTree("libs") { include("*.aar") }) // a bundle packed as a library, in place of assets/bundle/
    for (flavour in listOf("litert", "legacy")) {
        "${flavour}Implementation"(libs.camera.core)
        "${flavour}Implementation"(libs.camera.camera2)
        "${flavour}Implementation"(libs.camera.lifecycle)
        "${flavour}Implementation"(libs.lifecycle.runtime)
    }
    "litertImplementation"(libs.litert)
    "litertImplementation"(libs.litert.gpu) // without it GPU|CPU runs on the CPU without a word
    "legacyImplementation"(libs.litert.legacy)
    "legacyImplementation"(libs.litert.legacy.gpu)
    "legacyImplementation"(libs.litert.legacy.gpu.api)
}
